"""Many machines: the work is done by the workers of a Ray cluster. Needs the extra `distributed`.

The loop is the same. Windows, pictures and frames are tasks without state, which Ray does again elsewhere where a
worker or a machine is lost; what must wait between two levels lies in its object store. Only Gaussians and maps travel
to and from the driver: map, reduce, broadcast, map.

Departure: tasks in worker processes that each keep one model, not Ray Data's actors. On 20 items of 0.3 s and two
workers, one of which was killed, Ray Data gave its first result after 10 s and was done after 17, with tasks after 6.
"""

from wct.distributed.cluster import Cluster

__all__ = ["Cluster"]
