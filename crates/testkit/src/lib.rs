//! Test server, callers, frozen clock, seeded entropy, scripted senders.
