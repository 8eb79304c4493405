# The include table over this tree, and that its checker bites.
add_test(NAME tools_include_table COMMAND ${CMAKE_SOURCE_DIR}/tools/check-includes ${CMAKE_SOURCE_DIR})
add_test(NAME tools_include_table_bites COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tools/check_includes_bites.sh
                                                ${CMAKE_SOURCE_DIR}/tools/check-includes)
# What is asked of a machine with a GPU, without one.
find_program(python NAMES python3 REQUIRED)
add_test(NAME tools_gpu_check COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/tools/gpu_check.py ${CMAKE_SOURCE_DIR}/tools/gpu-check ${CMAKE_BINARY_DIR})
