"""The audit log that ships with the package; its README says where it comes from."""
