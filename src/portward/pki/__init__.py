"""Certificates: the local authority that vouches for hosts which no public one knows."""
