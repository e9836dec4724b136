# The simulator: the real core and the real agents in a simulated world; see docs/testing.md.
if(NOT TARGET grange_core OR NOT TARGET grange_agent)
  return()
endif()
file(GLOB sim_sources CONFIGURE_DEPENDS sim/*.c)
add_library(sim_world STATIC ${sim_sources} scenario/print.c)
target_link_libraries(sim_world PUBLIC grange_core grange_agent)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/sim_empty.c "extern int sim_links;\nint sim_links;\n")

function(grange_sim name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE sim_world)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()
grange_sim(sim ${CMAKE_CURRENT_BINARY_DIR}/sim_empty.c)

add_test(NAME sim.batch COMMAND sim --seeds 1..1000)
set_tests_properties(sim.batch PROPERTIES LABELS "sim;sanitize" TIMEOUT 900)
add_test(NAME sim.deterministic COMMAND sim --twice --seeds 1..40)
set_tests_properties(sim.deterministic PROPERTIES LABELS "sim;sanitize" TIMEOUT 600)

# Bugs planted in copies of one source each, linked before the libraries, which then leave that source
# out: the simulator must find every one of them.
file(GLOB planted CONFIGURE_DEPENDS sim/planted/*.sed)
foreach(bug ${planted})
  get_filename_component(name ${bug} NAME_WE)
  file(STRINGS ${bug} first LIMIT_COUNT 1)
  string(REGEX MATCH "[a-z]+/[a-z_/]+\\.c" file "${first}")
  set(out ${CMAKE_CURRENT_BINARY_DIR}/planted_${name}.c)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sim/plant.sh ${bug} ${CMAKE_SOURCE_DIR}/${file} ${out}
    DEPENDS ${bug} ${CMAKE_SOURCE_DIR}/${file} ${CMAKE_CURRENT_SOURCE_DIR}/sim/plant.sh)
  grange_sim(sim_planted_${name} ${out})
  set_source_files_properties(${out} PROPERTIES COMPILE_OPTIONS -Wno-unused) # comes after -Wall
  add_test(NAME sim.planted.${name} COMMAND sim_planted_${name} --seeds 1..500)
  set_tests_properties(sim.planted.${name} PROPERTIES LABELS "sim" TIMEOUT 600
    PASS_REGULAR_EXPRESSION "To see all of it again")
endforeach()
