foreach(test store store_open store_reader store_filter)
  grange_unit_test(${test} LINK grange_store)
endforeach()
