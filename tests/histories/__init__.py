"""Histories: random sequences of what users, machines and the platform do, played against the package and judged by the platform.

`actions` are what can happen, `chance` makes a history of a seed, `world` plays it (over `wire`, in place of the network, and
`machine`, in place of processes), `invariants` say what must never be, `shrinking` makes a failing history short, and `product`
is the only module that names what the package's functions are called. `collecting` plays histories of its own: everything that can go
wrong between the platform and the store.
"""
