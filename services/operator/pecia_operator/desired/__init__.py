"""What has to be in the cluster, from a model's spec alone: no clock, no network, no surprises.

`pod` makes the pods of a revision, `weights` the Job that looks at a checkpoint first, `workload` and
`scaling` what stands around the pods.
"""
