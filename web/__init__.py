"""What people see: the query API, the live feed and the pages."""
