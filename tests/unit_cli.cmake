# The pure parts of the command line.
foreach(part sources suggest progress)
  set(sources ${CMAKE_SOURCE_DIR}/cli/${part}.c)
  if(part STREQUAL "progress")
    list(APPEND sources ${CMAKE_SOURCE_DIR}/cli/pace.c)
  endif()
  grange_unit_test(cli_${part} SOURCES ${sources} LINK grange_base m)
endforeach()
