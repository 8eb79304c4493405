# The include table over this tree, and that its checker bites.
add_test(NAME tools_include_table COMMAND ${CMAKE_SOURCE_DIR}/tools/check-includes ${CMAKE_SOURCE_DIR})
add_test(NAME tools_include_table_bites COMMAND sh ${CMAKE_SOURCE_DIR}/tests/tools/check_includes_bites.sh
                                                ${CMAKE_SOURCE_DIR}/tools/check-includes)
