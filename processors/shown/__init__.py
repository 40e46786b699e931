"""What people are shown of records and rules, on the command line and on pages: personal values masked, rules in words."""
