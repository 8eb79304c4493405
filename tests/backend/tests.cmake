# The operator cases once for each instruction set; one that the machine has not is skipped with its reason (exit 77).
foreach(isa plain avx2 avx512 avx512_bf16 amx)
  foreach(what ops_cpu bottleneck)
    add_test(NAME backend_${what}_${isa} COMMAND backend_test_${what})
    set_tests_properties(backend_${what}_${isa} PROPERTIES TIMEOUT 900 ENVIRONMENT MIEN_ISA=${isa} SKIP_RETURN_CODE 77)
  endforeach()
endforeach()
set_tests_properties(backend_ops_cpu_plain PROPERTIES LABELS long) # while working the machine's own kernels do

# The CUDA backend with its kernels compiled as C, for an emulator of a device. Where this library is linked,
# backend_cuda_create is its own, whatever the build has.
file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/backend/cuda/*.c)
list(FILTER cuda_sources EXCLUDE REGEX "/(absent|device|dl)\\.c$")
file(GLOB cuda_kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/backend/cuda/kernel/*.cu)
file(GLOB cuda_emulator CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda/*.c)
set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE C COMPILE_OPTIONS -xc)
add_library(mien_cuda_emulated STATIC ${cuda_sources} ${cuda_kernels} ${cuda_emulator})
target_include_directories(mien_cuda_emulated PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(mien_cuda_emulated PUBLIC mien_internal)
foreach(what backend_test_ops_cuda backend_test_fused_cuda backend_test_cuda_kernels backend_test_cuda_libraries backend_test_cudnn_offline
             train_test_cuda api_test_device)
  target_link_libraries(${what} PRIVATE mien_cuda_emulated)
endforeach()
set_tests_properties(backend_test_ops_cuda PROPERTIES TIMEOUT 1200)
# A real device's file, with the test in the place of CUDA's runtime.
target_sources(backend_test_cuda_device PRIVATE ${CMAKE_SOURCE_DIR}/src/backend/cuda/device.c)
target_include_directories(backend_test_cuda_device PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda_runtime)
# The real libraries leave memory behind, and unload modules that did; leaks of our own show beside the fakes.
set_tests_properties(backend_test_cudnn_offline PROPERTIES ENVIRONMENT LSAN_OPTIONS=detect_leaks=0)

# What the backend believes of cuDNN's and cuBLASLt's headers, where they are here.
set(MIEN_CUDA_HEADERS /usr/local/cuda/include CACHE PATH "folder of cudnn.h and cublasLt.h, which tests compare our own declarations with")
find_path(cudnn_headers cudnn.h PATHS ${MIEN_CUDA_HEADERS})
find_path(cublaslt_headers cublasLt.h PATHS ${MIEN_CUDA_HEADERS})
if(cudnn_headers)
  target_include_directories(backend_test_abi_cuda SYSTEM PRIVATE ${cudnn_headers})
  target_compile_definitions(backend_test_abi_cuda PRIVATE HAVE_CUDNN_HEADERS)
endif()
if(cublaslt_headers)
  target_include_directories(backend_test_abi_cuda SYSTEM PRIVATE ${cublaslt_headers})
  target_compile_definitions(backend_test_abi_cuda PRIVATE HAVE_CUBLASLT_HEADERS)
endif()
# Where the real runtime is, it meets a driver that is too old for it.
find_path(cudart_headers cuda_runtime_api.h PATHS ${MIEN_CUDA_HEADERS} NO_DEFAULT_PATH)
find_library(cudart_static cudart_static PATHS ${MIEN_CUDA_HEADERS}/../lib64 NO_DEFAULT_PATH)
if(cudart_headers AND cudart_static)
  add_library(old_driver SHARED ${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda_runtime/old_driver.c)
  set_target_properties(old_driver PROPERTIES PREFIX "" OUTPUT_NAME libcuda SUFFIX .so.1 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/old_driver)
  add_executable(open_device ${CMAKE_CURRENT_SOURCE_DIR}/backend/cuda_runtime/open_device.c ${CMAKE_SOURCE_DIR}/src/backend/cuda/device.c)
  set_target_properties(open_device PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(open_device SYSTEM PRIVATE ${cudart_headers})
  target_link_libraries(open_device PRIVATE mien_internal ${cudart_static} dl rt pthread)
  add_test(NAME backend_old_driver COMMAND open_device)
  set_tests_properties(backend_old_driver PROPERTIES ENVIRONMENT LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}/tests/old_driver
                       PASS_REGULAR_EXPRESSION "device: the driver is too old .found CUDA 12.4, wanted 1[3-9]")
endif()

# The cases on whatever device there is: in a build without CUDA the CPU beside the plain reference, and that no device is said.
add_executable(ops_report ${CMAKE_CURRENT_SOURCE_DIR}/backend/report/ops_report.c)
set_target_properties(ops_report PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(ops_report PRIVATE mien_testkit)
add_test(NAME backend_ops_report COMMAND ops_report cpu reference linear)
# What docs/gpu.md says of memory.
add_executable(cuda_plan ${CMAKE_CURRENT_SOURCE_DIR}/backend/report/cuda_plan.c)
set_target_properties(cuda_plan PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(cuda_plan PRIVATE mien_cuda_emulated)
add_test(NAME backend_cuda_plan COMMAND cuda_plan train efficientnet_b0 32 bf16 2 64)

# Steps of every backbone and of SMM-EmotionNet on the emulated device, each as small as leaves its batch norms some values to
# go by: ten of the quickest, fewer of the others (of most ten in .ci/run), and under a sanitizer one of the quickest.
find_program(python NAMES python3 REQUIRED)
add_executable(steps_emulated ${CMAKE_SOURCE_DIR}/bench/bench_steps.c)
set_target_properties(steps_emulated PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(steps_emulated PRIVATE mien_cuda_emulated)
function(add_steps_test name label network size steps)
  add_test(NAME backend_${name} COMMAND ${python} ${CMAKE_CURRENT_SOURCE_DIR}/backend/steps_cuda.py ${CMAKE_SOURCE_DIR}/tools/gpu-check
                                        $<TARGET_FILE:steps_emulated> ${network} ${size} 2 ${steps})
  set_tests_properties(backend_${name} PROPERTIES LABELS ${label} TIMEOUT 900)
endfunction()
if(MIEN_SANITIZE)
  add_steps_test(steps_cuda_efficientnet_b0 long efficientnet_b0 64 1)
else()
  add_steps_test(steps_cuda_efficientnet_b0 long efficientnet_b0 64 10)
  foreach(row "efficientnet_lite0 64 3" "googlenet 64 2" "resnet50 64 2" "vit_b_16 32 1" "inception_v3 107 1" "efficientnet_b0+smm 64 1")
    string(REPLACE " " ";" words ${row})
    list(GET words 0 network)
    list(GET words 1 size)
    add_steps_test(steps_cuda_${network} long ${words})
    if(NOT network MATCHES "inception_v3|smm") # of two pictures, too sensitive for more than their first
      add_steps_test(ten_steps_cuda_${network} slow ${network} ${size} 10)
    endif()
  endforeach()
endif()
