grange_unit_test(exhaust LINK grange_core)
grange_unit_test(cycle LINK grange_core)
grange_unit_test(dispatch LINK grange_core)
grange_unit_test(chain LINK grange_core)
