# The peer that does what no peer should; tests/cli/hostile.bats drives it.
if(TARGET grange_proto)
  add_executable(hostile hostile/hostile.c)
  target_link_libraries(hostile PRIVATE grange_flags grange_proto)
  set_target_properties(hostile PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
