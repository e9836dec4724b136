# Each tests/cli/NAME.bats is the ctest cli.NAME: the real program, real processes, real files.
find_program(BATS bats)
file(GLOB cli_tests CONFIGURE_DEPENDS cli/*.bats)
foreach(file ${cli_tests})
  if(NOT TARGET grange OR NOT BATS)
    break()
  endif()
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME cli.${name} COMMAND ${BATS} ${file})
  set_tests_properties(cli.${name} PROPERTIES LABELS cli TIMEOUT 300
    ENVIRONMENT "GRANGE=$<TARGET_FILE:grange>;GRANGE_SOURCE=${CMAKE_SOURCE_DIR}")
endforeach()
# These look at how long something takes or how much memory it needs: nothing runs beside them.
foreach(name balance million kill silent)
  if(TEST cli.${name})
    set_tests_properties(cli.${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endforeach()
