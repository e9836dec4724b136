foreach(test store store_open store_reader store_filter store_calls store_halt)
  grange_unit_test(${test} LINK grange_store)
endforeach()

# What schema.sql was in older versions: a file that is made by it is brought up to date.
if(TARGET unit_store_calls)
  foreach(version 1 2)
    set(header ${CMAKE_CURRENT_BINARY_DIR}/schema_${version}.sql.h)
    add_custom_command(OUTPUT ${header}
      COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_SOURCE_DIR}/unit/schema_${version}.sql -DOUT=${header}
              -DNAME=schema_${version}_sql -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
      DEPENDS unit/schema_${version}.sql VERBATIM)
    target_sources(unit_store_calls PRIVATE ${header})
  endforeach()
  target_include_directories(unit_store_calls PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(unit_store_calls PRIVATE PkgConfig::sqlite3)
endif()
