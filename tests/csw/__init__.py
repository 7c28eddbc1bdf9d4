"""ISO records, harvested by a real catalogue service (CSW) from the endpoint. `make csw` runs it."""
