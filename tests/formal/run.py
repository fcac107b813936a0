"""`make formal`: every proof and every mutation, one line each, and how many there were."""

import sys

from tests.formal import (
    addresses,
    carries,
    columns,
    credits,
    drains,
    elements,
    frames,
    loaders,
    packets,
    pixels,
    places,
    points,
    ports,
    reads,
    requests,
    rings,
    rowends,
    sessions,
    streams,
    turners,
    walks,
    writers,
)
from tests.formal.kit import prove

SUBJECTS = (
    streams,
    carries,
    ports,
    credits,
    rings,
    frames,
    pixels,
    packets,
    elements,
    points,
    rowends,
    turners,
    requests,
    loaders,
    columns,
    addresses,
    reads,
    places,
    walks,
    drains,
    writers,
    sessions,
)
PROOFS = tuple(proof for subject in SUBJECTS for proof in subject.PROOFS)


def main():
    """Prove everything; 1 when a claim does not hold or a mutation is not found."""
    failed = 0
    for proof in PROOFS:
        verdict = prove(proof)
        reach = "for all time" if proof.unbounded else f"for {proof.depth} cycles"
        print(f"{'holds' if verdict.holds else 'FAILS'} {reach}, {verdict.seconds:.1f} s: {proof.name} {proof.claim}")
        failed += not verdict.holds
        for mutation in proof.mutations:
            found = not prove(proof, mutation).holds
            failed += not found
            print(f"    {'found' if found else 'NOT FOUND'}: {' '.join(mutation.old.split())}", flush=True)
    print(f"{len(PROOFS)} proofs, {sum(len(proof.mutations) for proof in PROOFS)} mutations, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
