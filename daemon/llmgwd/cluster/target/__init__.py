"""The target: from a service or workload to its pods and their ports, followed by watches.

It may import the cluster's access and errors, and what lies below the cluster.
"""
