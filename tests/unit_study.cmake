foreach(name study_factors study_design study_template study_words study_json study_calls study_stages
        study_ends)
  grange_unit_test(${name} LINK grange_study)
endforeach()
