"""What the building-management system sees: MQTT."""
