# The command end to end: each test_<what>.py drives the real build/mien. They share what one small training run made.
find_program(python NAMES python3 REQUIRED)
file(GLOB e2e_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/e2e/test_*.py)
set(e2e_environment MIEN=$<TARGET_FILE:mien> EXAMPLE=$<TARGET_FILE:example_classify>
                    FRAMES=$<TARGET_FILE:example_frames> LIBRARY=$<TARGET_FILE:mien_shared> E2E_FOLDER=${CMAKE_BINARY_DIR}/e2e
                    PYTHONDONTWRITEBYTECODE=1)
add_test(NAME e2e_base COMMAND ${python} ${CMAKE_SOURCE_DIR}/tests/e2e/base.py)
set_tests_properties(e2e_base PROPERTIES FIXTURES_SETUP e2e_base ENVIRONMENT "${e2e_environment}" TIMEOUT 600 LABELS e2e)
foreach(source ${e2e_sources})
  get_filename_component(what ${source} NAME_WE)
  string(REPLACE "test_" "e2e_" name ${what})
  add_test(NAME ${name} COMMAND ${python} ${source})
  set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED e2e_base ENVIRONMENT "${e2e_environment}" TIMEOUT 900 LABELS e2e)
endforeach()
