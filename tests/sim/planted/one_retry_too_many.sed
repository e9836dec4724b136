# scheduler/result.c: a task is retried once more than it may
s/if (failures < retries && !aside) {/if (failures <= retries \&\& !aside) {/
