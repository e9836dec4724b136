foreach(test store store_open store_reader store_filter store_calls)
  grange_unit_test(${test} LINK grange_store)
endforeach()

# What schema.sql was in version 1: a file that is made by it is brought up to date.
if(TARGET unit_store_calls)
  set(schema_1 ${CMAKE_CURRENT_BINARY_DIR}/schema_1.sql.h)
  add_custom_command(OUTPUT ${schema_1}
    COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_SOURCE_DIR}/unit/schema_1.sql -DOUT=${schema_1} -DNAME=schema_1_sql
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS unit/schema_1.sql VERBATIM)
  target_sources(unit_store_calls PRIVATE ${schema_1})
  target_include_directories(unit_store_calls PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(unit_store_calls PRIVATE PkgConfig::sqlite3)
endif()
