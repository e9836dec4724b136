grange_unit_test(base LINK grange_base)
