import Testing

/// Everything that runs the built program against the lab. One at a time: they share its guests.
@Suite(.serialized, .timeLimit(.minutes(20)))
enum IntegrationTests {}
