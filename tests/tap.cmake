# Listens to what crosses the wire; tests/cli/session.bats drives it.
if(TARGET grange_proto)
  add_executable(tap tap/tap.c)
  target_link_libraries(tap PRIVATE grange_flags grange_proto grange_pb)
  set_target_properties(tap PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
