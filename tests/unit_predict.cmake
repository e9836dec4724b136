grange_unit_test(predict SOURCES unit/predict.c ${CMAKE_SOURCE_DIR}/scheduler/predict.c LINK grange_base m)
