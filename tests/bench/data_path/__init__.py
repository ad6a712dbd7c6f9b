"""The data path beside its peers: the same loads through us, kubectl and two Python packages."""
