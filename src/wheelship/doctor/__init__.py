# SPDX-License-Identifier: Apache-2.0
"""Looks at a machine: what builds need and it lacks, and how to get it.

One check per file. A check changes nothing, prints nothing and never repeats a credential. It gets
all that is ambient from :class:`~wheelship.doctor.model.Patient`.
"""
