# Whole models beside torchvision, where there is a python3 that has it; else skipped with the reason (exit 77).
set_tests_properties(parity_test_model PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 LABELS parity)
# Checkpoints that PyTorch writes, imported and asked, beside PyTorch's own answers.
add_test(NAME parity_import COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_import.py)
set_tests_properties(parity_import PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 LABELS parity
                     ENVIRONMENT "MIEN=$<TARGET_FILE:mien>;MIEN_LIBRARY=$<TARGET_FILE:mien_shared>")
# Models that leave, run by ONNX Runtime and read by PyTorch.
add_test(NAME parity_export COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/parity/check_export.py)
set_tests_properties(parity_export PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 LABELS parity
                     ENVIRONMENT "MIEN=$<TARGET_FILE:mien>;PYTHONPATH=${CMAKE_SOURCE_DIR}/build/deps/python;PYTHONDONTWRITEBYTECODE=1")
