# mien.h is a contract: it compiles alone as C99 and as C++, and the library has what it promises.
find_program(mien_cxx NAMES c++ g++ clang++)
mark_as_advanced(mien_cxx)
set(header_dir ${CMAKE_SOURCE_DIR}/tests/header)
add_test(NAME header_c99 COMMAND sh ${header_dir}/compiles_alone.sh c c99 ${CMAKE_SOURCE_DIR}/include
                                 ${CMAKE_C_COMPILER})
add_test(NAME header_cxx COMMAND sh ${header_dir}/compiles_alone.sh c++ c++11 ${CMAKE_SOURCE_DIR}/include
                                 $<$<BOOL:${mien_cxx}>:${mien_cxx}>)
set_tests_properties(header_cxx PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME header_exports COMMAND sh ${header_dir}/exports.sh ${CMAKE_C_COMPILER} ${CMAKE_SOURCE_DIR}/include
                                     $<TARGET_FILE:mien_shared>)
