"""Who is owed what: procedures → credit → allocation → payouts; identities and exports."""
