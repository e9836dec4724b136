# The Nth call fails, N = 1, 2, ... until none does.
if(TARGET grange_store)
  add_executable(fault_store fault/store_fault.c fault/fault_vfs.c)
  target_include_directories(fault_store PRIVATE fault)
  target_link_libraries(fault_store PRIVATE grange_flags grange_store PkgConfig::criterion)
  set_target_properties(fault_store PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME fault.store COMMAND fault_store --jobs 1)
  set_tests_properties(fault.store PROPERTIES LABELS "fault;sanitize" TIMEOUT 900 COST 15)
endif()

# What tests/cli preloads (helper.bash: faulty). The sanitizers want to be loaded first.
if(NOT GRANGE_SANITIZE)
  add_library(fault_nth MODULE fault/nth.c)
  target_compile_definitions(fault_nth PRIVATE _GNU_SOURCE)
  target_link_libraries(fault_nth PRIVATE grange_flags ${CMAKE_DL_LIBS})
  set_target_properties(fault_nth PROPERTIES PREFIX "" OUTPUT_NAME nth LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
