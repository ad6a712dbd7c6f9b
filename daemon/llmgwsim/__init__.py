"""The simulated cluster: a Kubernetes API server, its pods, and everything that can go wrong there.

Other people's clients are its proof: kubectl and kr8s work against it unmodified. From a test:

    from llmgwsim.remote import cluster_in_thread
    from llmgwsim.options import Options

    with cluster_in_thread(Options(pods=2)) as cluster:
        run_with(KUBECONFIG=cluster.kubeconfig)
        cluster.faults.delete_pod(graceful=False)

`cluster_process(["--rtt", "40ms"])` gives the same from a process of its own, and `async with
SimulatedCluster()` the cluster in the caller's loop. Every public method of `faults.Faults` is a
fault call, from Python and as `POST /faults/NAME` on the control port.
"""
