grange_unit_test(agent LINK grange_agent)
grange_unit_test(run LINK grange_worker)
grange_unit_test(supervise LINK grange_worker)
# A real worker: the program, the plug-in and the Python engine of the examples.
grange_unit_test(engine SOURCES unit/engine_help.c LINK grange_proto grange_base)
if(TARGET unit_engine AND TARGET grange AND TARGET collatz)
  add_dependencies(unit_engine grange collatz)
  target_compile_definitions(unit_engine PRIVATE GRANGE_PROGRAM="$<TARGET_FILE:grange>" COLLATZ="$<TARGET_FILE:collatz>"
    PYTHON_ENGINE="exec python3 ${CMAKE_SOURCE_DIR}/examples/engine/engine.py")
endif()
grange_unit_test(agent_calls LINK grange_agent)
# A real scheduler, with peers that the test plays.
grange_unit_test(calls SOURCES unit/calls_help.c LINK grange_proto grange_base)
if(TARGET unit_calls AND TARGET grange)
  add_dependencies(unit_calls grange)
  target_compile_definitions(unit_calls PRIVATE GRANGE_PROGRAM="$<TARGET_FILE:grange>")
endif()
# The whole farm, from the library to functions on engines.
grange_unit_test(functions LINK grange_client)
if(TARGET unit_functions AND TARGET grange AND TARGET collatz)
  add_dependencies(unit_functions grange collatz)
  target_compile_definitions(unit_functions PRIVATE GRANGE_PROGRAM="$<TARGET_FILE:grange>" COLLATZ="$<TARGET_FILE:collatz>")
endif()
