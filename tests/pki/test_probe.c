#include "tests/testing.h"
int main(void)
{
    return testing_run(suite_create("x"));
}
