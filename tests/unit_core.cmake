grange_unit_test(exhaust LINK grange_core)
