grange_unit_test(base LINK grange_base)
grange_unit_test(needs LINK grange_base)
