# scheduler/dispatch.c: calls that follow one to its worker are not held to the limit of their study
s/ && share_allows(a) && room_fits/ \&\& room_fits/
