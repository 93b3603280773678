"""What pools add to credits: who shares which grants, and who has what of them."""
