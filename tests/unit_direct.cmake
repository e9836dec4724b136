grange_unit_test(direct LINK grange_scheduler)
