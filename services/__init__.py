# SPDX-License-Identifier: Apache-2.0
"""What runs outside the guest and is trusted with no content.

`services.relay` hides the client's address from the operator; `services.ingress` turns HTTP into
the guest's gRPC. The files beside them are what both need of HTTP: which resources exist, how a
problem is answered, how much and how long, what an observer may see, and the server itself.
Neither service opens, stores or logs what it carries.
"""
