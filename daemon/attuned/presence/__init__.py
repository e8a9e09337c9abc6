"""From what nodes say to what is believed of a room."""
