*** Settings ***
Documentation     A suite in which a test ends in each way that Robot Framework knows.
Test Tags         shop

*** Test Cases ***
An Empty Cart Costs Nothing
    Should Be Equal As Integers    ${0}    ${0}

A Warehouse Takes Its Time
    [Tags]    slow
    Sleep    60ms

A Price Is Wrong
    Should Be Equal    12    13

A Database Is Missing
    Skip    no database

A Setup Is Broken
    [Setup]    Fail    no set-up
    Log    never run

A Teardown Is Broken
    Log    done
    [Teardown]    Fail    no teardown
