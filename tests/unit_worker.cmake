grange_unit_test(agent LINK grange_agent)
grange_unit_test(run LINK grange_worker)
grange_unit_test(supervise LINK grange_worker)
