"""What `attune doctor` looks at. Each check takes facts and gives a finding; what gathers facts judges nothing."""
