# The zoo beside torchvision, where there is a python3 that has it; else skipped with the reason (exit 77). EfficientNet-B0
# at a small size, with the check that a moved weight is noticed, is for everybody; the others, and all at full size, are
# slow. They begin first, as the longest; one at a time, for their memory (5 GB).
add_executable(parity_subject ${CMAKE_SOURCE_DIR}/tests/parity/subject.c ${CMAKE_SOURCE_DIR}/tests/parity/subject_kit.c)
add_executable(parity_smm_subject ${CMAKE_SOURCE_DIR}/tests/parity/smm_subject.c ${CMAKE_SOURCE_DIR}/tests/parity/subject_kit.c)
set_target_properties(parity_subject parity_smm_subject PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
foreach(subject parity_subject parity_smm_subject)
  target_include_directories(${subject} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${subject} PRIVATE mien_internal DNNL::dnnl)
endforeach()
# PyTorch allocates anew for every operator; glibc is told to keep what is given back, or the kernel clears it each time. And
# its threads wait asleep: spinning, they take ten times as long beside a busy process.
set(patient_pytorch "MALLOC_MMAP_THRESHOLD_=8589934592;MALLOC_TRIM_THRESHOLD_=17179869184;OMP_WAIT_POLICY=passive")
set(small_arguments --small efficientnet_b0)
set(small_others_arguments --small --without efficientnet_b0)
set(full_arguments --full)
foreach(what small small_others full)
  add_test(NAME parity_${what} COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_models.py ${${what}_arguments})
  set_tests_properties(parity_${what} PROPERTIES TIMEOUT 3600 SKIP_RETURN_CODE 77 LABELS parity COST 1000 RESOURCE_LOCK pytorch
                       ENVIRONMENT "PARITY_SUBJECT=$<TARGET_FILE:parity_subject>;PYTHONDONTWRITEBYTECODE=1;\
${patient_pytorch}")
endforeach()
set_tests_properties(parity_small_others parity_full PROPERTIES LABELS "parity;slow")
# SMM-EmotionNet and its baseline: over EfficientNet-B0 for everybody, over Inception v3 slow.
set(smm_arguments efficientnet_b0)
set(smm_inception_arguments inception_v3)
foreach(what smm smm_inception)
  add_test(NAME parity_${what} COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_smm.py ${${what}_arguments})
  set_tests_properties(parity_${what} PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77 LABELS parity COST 900 RESOURCE_LOCK pytorch
                       ENVIRONMENT "PARITY_SUBJECT=$<TARGET_FILE:parity_smm_subject>;PYTHONDONTWRITEBYTECODE=1;\
${patient_pytorch}")
endforeach()
set_tests_properties(parity_smm_inception PROPERTIES LABELS "parity;slow")
add_test(NAME parity_pictures COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_pictures.py)
set_tests_properties(parity_pictures PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS parity
                     ENVIRONMENT "PARITY_SUBJECT=$<TARGET_FILE:parity_subject>;PYTHONDONTWRITEBYTECODE=1")
# Checkpoints that PyTorch writes, imported and asked, beside PyTorch's own answers.
add_test(NAME parity_import COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_import.py)
set_tests_properties(parity_import PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 LABELS parity
                     ENVIRONMENT "MIEN=$<TARGET_FILE:mien>;MIEN_LIBRARY=$<TARGET_FILE:mien_shared>")
# Models that leave, run by ONNX Runtime and read by PyTorch.
add_test(NAME parity_export COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_export.py)
set_tests_properties(parity_export PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 LABELS parity
                     ENVIRONMENT "MIEN=$<TARGET_FILE:mien>;PYTHONPATH=${CMAKE_SOURCE_DIR}/build/deps/python;PYTHONDONTWRITEBYTECODE=1")
add_test(NAME parity_export_heads COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_export_heads.py)
set_tests_properties(parity_export_heads PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 LABELS parity
                     ENVIRONMENT "MIEN=$<TARGET_FILE:mien>;PARITY_SUBJECT=$<TARGET_FILE:parity_smm_subject>;\
PYTHONPATH=${CMAKE_SOURCE_DIR}/build/deps/python;PYTHONDONTWRITEBYTECODE=1;${patient_pytorch}")
