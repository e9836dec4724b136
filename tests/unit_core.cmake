grange_unit_test(exhaust LINK grange_core)
grange_unit_test(cycle LINK grange_core)
# collect.c alone: the test plays what is around it.
grange_unit_test(collect SOURCES ${CMAKE_SOURCE_DIR}/scheduler/collect.c LINK grange_base)
grange_unit_test(dispatch LINK grange_core)
grange_unit_test(chain LINK grange_core)
grange_unit_test(gate LINK grange_core)
