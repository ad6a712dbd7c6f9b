"""What can be done to the simulated cluster: each public method is a fault call, here and by HTTP.

Arguments and results are plain JSON, so that a call means the same from Python and from another
process. A pod's name may be left out: the first pod of the gateway is meant.
"""

from llmgwsim.faults.api import ApiFaults
from llmgwsim.faults.node import NodeFaults
from llmgwsim.faults.objects import ObjectFaults
from llmgwsim.faults.pods import PodFaults
from llmgwsim.faults.wire import WireFaults


class Faults(PodFaults, NodeFaults, WireFaults, ApiFaults, ObjectFaults):
    """All fault calls of one cluster."""
