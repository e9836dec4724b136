# Golden traces through the pure core and the pure agent: each file of tests/scenario is a test.
if(NOT TARGET grange_core OR NOT TARGET grange_agent)
  return()
endif()
add_executable(scenario scenario/player.c scenario/words.c scenario/print.c scenario/core_script.c
  scenario/core_words.c scenario/edges.c scenario/needs_words.c scenario/agent_script.c)
target_link_libraries(scenario PRIVATE grange_core grange_agent)
set_target_properties(scenario PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
file(GLOB scenarios CONFIGURE_DEPENDS scenario/*.txt)
foreach(file ${scenarios})
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME scenario.${name} COMMAND scenario ${file})
  set_tests_properties(scenario.${name} PROPERTIES LABELS "scenario;sanitize" TIMEOUT 600)
endforeach()
# Every edge of the picture of task states (docs/testing.md) is made by a scenario, and no other is.
add_test(NAME scenario_edges COMMAND scenario --edges ${CMAKE_SOURCE_DIR}/docs/testing.md ${scenarios})
set_tests_properties(scenario_edges PROPERTIES LABELS "scenario" TIMEOUT 60)
