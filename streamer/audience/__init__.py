"""Chat, questions, polls, presence and moderation: the rules and the service, no transport."""
