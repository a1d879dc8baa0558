"""The protocols themselves: FIPA's, and one for two who bargain."""
