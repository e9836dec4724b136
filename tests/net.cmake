# Each tests/net/NAME.bats is the ctest net.NAME: several hosts, which are network namespaces of this machine.
# Without the right to make some (root) its tests say so and are skipped.
find_program(BATS bats)
file(GLOB net_tests CONFIGURE_DEPENDS net/*.bats)
foreach(file ${net_tests})
  if(NOT TARGET grange OR NOT BATS)
    break()
  endif()
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME net.${name} COMMAND ${BATS} ${file})
  set_tests_properties(net.${name} PROPERTIES LABELS net TIMEOUT 1200 COST 20
    ENVIRONMENT "GRANGE=$<TARGET_FILE:grange>;GRANGE_SOURCE=${CMAKE_SOURCE_DIR}")
endforeach()
